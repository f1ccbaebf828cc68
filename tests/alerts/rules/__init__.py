"""The rules that ship, told as promtool stories."""
