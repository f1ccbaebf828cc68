"""The change freeze of one service: a workflow that outlives the incidents that hold it."""
