"""Game days: break the practice platform, let the playbook run with a human or a scripted cast, and score what happened."""
