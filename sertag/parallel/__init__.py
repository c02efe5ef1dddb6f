"""Many files in parallel, tagged by worker processes that may crash without ending the run."""

# Environment of every worker: without it numerical libraries start a thread for each processor in each worker.
ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

BACKENDS = ("local", "dask", "ray")  # where the work is done
