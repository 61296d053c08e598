"""What the three doors share: options, checks and shapes; it imports no array library."""
