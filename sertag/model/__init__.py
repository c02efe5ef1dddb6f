"""Windows to probabilities: the model file and ONNX Runtime."""
