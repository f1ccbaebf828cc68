"""The edge: rules that deny requests, first in preview, then enforced; allow-lists; and what the edge has seen."""
