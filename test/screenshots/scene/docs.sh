echo 'docs/auth.md:12: link to a page that is not there'
exit 2
