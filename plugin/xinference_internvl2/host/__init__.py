"""What changes in the processes of Xinference."""
