"""Watches over advisories: a workflow of ours for each fix that was shipped, which outlives the incident."""
