"""Keep a copy of all keys and files of a cluster in a directory, vnode by vnode, and bring it back to any cluster."""
