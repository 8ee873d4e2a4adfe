"""What is done, and no word of when: nothing in here imports Luigi."""

import os

# before anyone imports numpy: its BLAS starts a thread for each core, which spin for a while, and no large matrix is multiplied here
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
