"""`/github`: GitHub's REST API, part by part in the files beside this one."""

from __future__ import annotations

from practice.faces.github import base as github_base
from practice.faces.github import git as github_git
from practice.faces.github import issues as github_issues
from practice.faces.github import rules as github_rules

FACE = github_base.FACE
PARTS = (github_issues, github_git, github_rules)  # importing them declares their routes
