package plan

// warn looks for what is allowed and probably not meant. The plan has no errors.
func (c *checker) warn() {
}
