"""The systems that reach people: pager, chat, status page, tickets, codes, rota."""
