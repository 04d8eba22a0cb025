"""What `make lint` checks besides Python; a finding is mended or accepted in writing."""
