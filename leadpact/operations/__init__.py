"""What on-call sees and does, the same in every service: dead letters."""
