"""Words for others: shell commands, PromQL, URLs and markup are built here, and secrets left out."""
