"""Bytes, text and JSON of tables that are read again."""
