"""Assets that are cut off from the network, but for forensic traffic; and whether anything still flows."""
