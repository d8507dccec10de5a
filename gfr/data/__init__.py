"""Images and labels: read, check, choose, split."""
