"""What the generator wrote, and what follows from it: prompt formats, and the matrix of engines."""
