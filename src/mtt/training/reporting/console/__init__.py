"""Lines on the console, in the width of the terminal."""
