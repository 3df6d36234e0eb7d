package main

import "github.com/spf13/cobra"

func newAccounts() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "accounts",
		Short: "Look at accounts",
		Example: `  pqlstream accounts list --config pqlstream.yaml
  pqlstream accounts show acct-00042 --config pqlstream.yaml`,
		Args: cobra.NoArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newAccountsList(), newAccountsShow())
	return cmd
}
