"""The literature as experiments: data, a file or a folder a paper. Each registers itself."""
