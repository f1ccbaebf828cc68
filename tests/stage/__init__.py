"""What stories are told with: the drill, a real server, the recorder of histories."""
