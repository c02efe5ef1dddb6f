"""Analysis of existing tables: selection, groups, comparison, joins, and verdicts of listeners."""
