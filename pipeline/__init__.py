"""What is done, and no word of when: nothing in here imports Luigi."""

import gc
import os

# before anyone imports numpy: its BLAS starts a thread for each core, which spin for a while, and no large matrix is multiplied here
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# before anyone imports pydantic: it would read the metadata of every installed package for plugins (10 ms), and none is used here
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# by default every 700 new objects start a search for cycles: a tenth of an idle night, whose imports make 100,000 objects that stay
gc.set_threshold(10_000)
