"""Problems, training, the gate and the serving bundle; pure."""
