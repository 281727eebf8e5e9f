"""What popular texts say of residual networks."""
