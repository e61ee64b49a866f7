"""What the simulated API answers: a function a row, a module a group of the menu."""
