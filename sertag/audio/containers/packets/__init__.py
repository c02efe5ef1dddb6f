"""Containers of packets with times, which may hold several tracks."""
