"""Weight files: networks as safetensors that describe themselves, vouched for by digests."""
