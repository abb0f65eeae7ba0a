"""Problems, fitting, the gate and the serving bundle; pure."""
