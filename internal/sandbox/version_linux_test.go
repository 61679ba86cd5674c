package sandbox

func landlockVersion() (int, error) { return landlockABI() }
