"""Recordings and tables in object storage and on web servers, by URL; fsspec is loaded when the first URL is used."""
