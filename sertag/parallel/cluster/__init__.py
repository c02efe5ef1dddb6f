"""Batches on a Dask or Ray cluster: the same engine, with supervisors in the processes of the cluster's workers.

session (this process) → connection → driver (a process) → on_dask, on_ray → node (on each worker)
"""
