"""Programs that we did not write judge our clients, and our practice faces beside them: `make judge`. Not part of CI.

One file for each judge. What a judge finds becomes a test of the ordinary suite.
"""
