"""Sign-in as the edge sees it: users, a wave of tried passwords, a thief with a key, and the rules that deny some of them."""
