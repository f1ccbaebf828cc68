"""Stores that hold documents: corpora, memories, mail, tickets, tool descriptions; and how like one text is to another."""
