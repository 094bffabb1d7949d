"""Say what went wrong in user code or its data, and find and set aside the record that is to blame."""
