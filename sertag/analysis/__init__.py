"""Tables that are there already: chosen from, grouped, compared, joined, and judged by listeners."""
