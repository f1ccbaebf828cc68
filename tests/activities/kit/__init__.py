"""The contract table: every setting, thing that exists once and operation, against every mishap."""
