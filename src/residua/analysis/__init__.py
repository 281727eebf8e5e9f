"""A look inside a network: one file a question. Tools take any module that holds residual units."""
