"""Fetches the images and videos of a request, decodes them within bounds, and cuts their tiles."""
