"""The kubelet of the sandbox: it runs the containers of pods as local processes."""
