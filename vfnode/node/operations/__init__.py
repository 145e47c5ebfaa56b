"""Facts and actions for an operator: pure data for the terminal, and for pages, to format.

Queries read the database and the spool and make nothing; actions write who did what and why.
"""
