"""`/github`: GitHub's REST API, part by part in the files beside this one."""

from __future__ import annotations

from practice.faces import github_base, github_git, github_issues, github_rules

FACE = github_base.FACE
PARTS = (github_issues, github_git, github_rules)  # importing them declares their routes
