"""Trained networks behind an address: the HTTP service and the page. Importing it loads no torch and no FastAPI.

One process (`app`, `batching`, `pool`) speaks HTTP and forms batches; each model's workers (`worker`) are processes
that decode and compute. A worker that dies, of a fault in a decoder or a runtime, of too little memory or by
``kill -9``, takes no connection with it: its images are computed by another one. Threads could not promise that, and
they would share one interpreter lock with the server.
"""
