"""The literature as experiments: data only, one file or folder a paper."""
