"""What the generator wrote for each family, and what follows from it: which engine serves what."""
