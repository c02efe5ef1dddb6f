"""Many files at once, each in a process that may die without loss."""

# Environment of every process: numerical libraries would start a thread for each processor in each of them.
ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
