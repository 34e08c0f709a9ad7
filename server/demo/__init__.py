"""What `assist demo` shows: a real module and the places where it is completed; it prints nothing."""
